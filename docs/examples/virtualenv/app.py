import sys

from flask import Flask

application = Flask(__name__)


@application.get("/")
def prefix():
    return sys.prefix
