"""Servers of the delivery tests. Mail is PyPI's aiosmtpd, which nobody here wrote; the web side is the standard library.

    server.py mail FOLDER PORT CERTIFICATE KEY USER PASSWORD
    server.py web FOLDER PORT [CERTIFICATE KEY]

What comes is written as N.json, whole, in the order of its coming.
"""

import base64
import email
import email.policy
import http.server
import itertools
import json
import os
import signal
import ssl
import sys
import threading

kind, folder, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
numbers = itertools.count(len(os.listdir(folder)))


def keep(row):
    name = os.path.join(folder, "%04d" % next(numbers))
    with open(name + ".new", "w") as file:
        json.dump(row, file)
    os.rename(name + ".new", name + ".json")


def tls(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def mail(certificate, key, user, password):
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            part = lambda kind: (message.get_body((kind,)).get_content() if message.get_body((kind,)) else "")
            files = {a.get_filename(): base64.b64encode(a.get_payload(decode=True)).decode() for a in message.iter_attachments()}
            keep({
                "to": envelope.rcpt_tos, "from": envelope.mail_from, "subject": message["subject"], "text": part("plain"),
                "html": part("html"), "files": files, "headers": [[n.lower(), str(v)] for n, v in message.items()],
                "tls": session.ssl is not None, "user": (session.auth_data or b"").decode() if session.authenticated else None,
                "raw": envelope.content.decode("utf-8", "replace"),
            })
            return "250 taken"

    def authenticate(server, session, envelope, mechanism, data):
        good = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=good, auth_data=data.login if good else None)

    controller = Controller(
        Handler(), hostname="127.0.0.1", port=port, tls_context=tls(certificate, key), require_starttls=True,
        auth_required=True, authenticator=authenticate,
    )
    controller.start()


def web(*files):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            keep({"path": self.path, "headers": headers, "body": body.decode("utf-8", "replace")})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if files:
        server.socket = tls(*files).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


{"mail": mail, "web": web}[kind](*sys.argv[4:])
signal.sigwait({signal.SIGTERM, signal.SIGINT})
