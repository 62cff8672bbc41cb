from flask import Flask, render_template
from shop import context

application = Flask(__name__)


@application.get("/")
def index():
    return render_template("orders.html", **context())
