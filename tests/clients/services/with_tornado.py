"""A tornado service on upstream's library, written as its documentation teaches."""

import json
import os
from urllib.parse import urlparse

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, authenticated

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]


class WhoAmI(HubOAuthenticated, RequestHandler):
    """Shows the hub's model; takes a form."""

    @authenticated
    def get(self):
        model = self.get_current_user()
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps({"name": model["name"], "xsrf": self.xsrf_token.decode()}))

    @authenticated
    def post(self):
        self.write({"posted": self.get_current_user()["name"]})


def main():
    app = Application(
        [(PREFIX, WhoAmI), (PREFIX + "oauth_callback", HubOAuthCallbackHandler)],
        cookie_secret=os.urandom(32),
        xsrf_cookies=True,
    )
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    HTTPServer(app).listen(url.port, url.hostname)
    IOLoop.current().start()


if __name__ == "__main__":
    main()
