from flask import Flask

application = Flask(__name__)


@application.get("/")
def hello():
    return "Hello from Flask!"


@application.get("/user/<name>")
def user(name):
    return {"user": name}
