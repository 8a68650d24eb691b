"""Checks an RFC 3161 token with the package rfc3161-client: timestamp.py TOKEN DATA TSA-CERTIFICATE CA-CERTIFICATE."""

import sys

from cryptography.x509 import load_pem_x509_certificate
from rfc3161_client import VerifierBuilder, decode_timestamp_response

token, data, tsa, ca = (open(path, "rb").read() for path in sys.argv[1:])
builder = VerifierBuilder().tsa_certificate(load_pem_x509_certificate(tsa))
verifier = builder.add_root_certificate(load_pem_x509_certificate(ca)).build()
try:
    response = decode_timestamp_response(token)
    verifier.verify_message(response, data)
except Exception as error:  # whatever it raises, the token is refused
    sys.exit(f"refused: {error}")
print(f"the token holds: {response.tst_info.gen_time}")
