"""A Flask app of two answers: the page, and which Python and release serve it."""

import sys

from flask import Flask

app = Flask(__name__)
RELEASE = 1


@app.route("/")
def page():
    return f"release {RELEASE}"


@app.route("/python")
def python():
    return sys.prefix
