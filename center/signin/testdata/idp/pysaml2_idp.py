"""An identity provider made of pysaml2, which signs one user in without asking.

Usage: pysaml2_idp.py FOLDER PORT USER; FOLDER has sp.xml, key.pem and cert.pem, and gets idp.xml.
"""
import html
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NameID
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

folder, port, user = sys.argv[1], int(sys.argv[2]), sys.argv[3]
base = f"http://127.0.0.1:{port}"
settings = {
    "entityid": base + "/metadata",
    "xmlsec_binary": "/usr/bin/xmlsec1",
    "key_file": folder + "/key.pem",
    "cert_file": folder + "/cert.pem",
    "service": {"idp": {"endpoints": {"single_sign_on_service": [(base + "/sso", BINDING_HTTP_REDIRECT)]}, "sign_assertion": True,
                        "name_id_format": [NAMEID_FORMAT_EMAILADDRESS], "policy": {"default": {"lifetime": {"minutes": 15}}}}},
    "metadata": {"local": [folder + "/sp.xml"]},
}
with open(folder + "/idp.xml", "wb") as f:
    without_sp = {k: v for k, v in settings.items() if k != "metadata"}
    f.write(create_metadata_string(None, config=IdPConfig().load(without_sp), valid=4))
server = Server(config=IdPConfig().load(settings))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        request = server.parse_authn_request(query["SAMLRequest"][0], BINDING_HTTP_REDIRECT)
        args = server.response_args(request.message)
        response = server.create_authn_response(
            identity={"mail": [user]}, userid=user, name_id=NameID(format=NAMEID_FORMAT_EMAILADDRESS, text=user), sign_assertion=True, sign_response="both" in query,
            sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256, authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": base}, **args)
        form = server.apply_binding(BINDING_HTTP_POST, str(response), args["destination"], query.get("RelayState", [""])[0], response=True)
        body = form["data"]
        body = ("".join(body) if isinstance(body, list) else body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


print("ready", flush=True)
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
