from django.contrib import admin
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def hello(request):
    return HttpResponse("Hello from Django!")


@csrf_exempt
def echo(request):
    return JsonResponse({"method": request.method, "name": request.POST.get("name")})


urlpatterns = [
    path("", hello),
    path("echo/", echo),
    path("admin/", admin.site.urls),
]
