"""A mail server that accepts mail only over TLS and after a login.

Arguments: the port for STARTTLS, the port for TLS, certificate, key, the file that mail is appended
to as lines of JSON. The only login is the user fastjob with the password s3cret.
"""

import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

starttls, tls, cert, key, inbox = sys.argv[1:]


class Inbox:
    def __init__(self, port):
        self.port = port

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "port": self.port,
            "tls": session.ssl is not None or self.port == int(tls),
            "login": session.auth_data,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode(),
        }
        with open(inbox, "a") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 taken"


def authenticator(server, session, envelope, mechanism, auth_data):
    right = (auth_data.login, auth_data.password) == (b"fastjob", b"s3cret")
    # handled=False lets the server send the rejection.
    return AuthResult(success=right, handled=False, auth_data="fastjob" if right else None)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
common = {"hostname": "127.0.0.1", "auth_required": True, "authenticator": authenticator}
Controller(
    Inbox(int(starttls)), port=int(starttls), tls_context=context, require_starttls=True, **common
).start()
# auth_require_tls counts only TLS from STARTTLS.
Controller(
    Inbox(int(tls)), port=int(tls), ssl_context=context, auth_require_tls=False, **common
).start()
threading.Event().wait()
