#!/usr/bin/env bash
# Of a time stamp's second rfc3161-client drops the fraction, and pyasn1 writes another one: 12.05 s is signed as 12.5 s.
#
# Expected: RFC 3161's genTime may have fractions ("where there is a need", as with ordering and an accuracy of milliseconds);
# who reads one gives it as a datetime, which has microseconds; who writes one leaves out the zeros at its end (X.690,
# 11.7.3).
# Seen (rfc3161-client 1.0.9, which Sigstore's client uses): gen_time of a token of 12:00:00.962 is 12:00:00, of a valid token
# with an accuracy of 1 ms. So a picture of .900 is stamped before it was taken, and tokens of one second are equal, ordered
# or not. asn1crypto and rfc3161ng give the fraction. Seen (pyasn1 0.6.5): its DER and CER encoders leave out each zero of the
# fraction, so that .050 is written .5, .001 is .1, and .105 is .15; what was put in is not what comes out again, by up to .9
# s, and a signature over it is as good as any. Nothing is said by either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q rfc3161-client==1.0.9 rfc3161ng==2.1.3 asn1crypto==1.5.1 pyasn1==0.6.5 pyasn1-modules==0.4.2
cd "$folder"
openssl version
cat > authority.cnf <<'CNF'
[req]
distinguished_name = name
[name]
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = authority
[authority]
serial = serial
signer_cert = authority.pem
signer_key = authority.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = millisecs:1
ordering = yes
clock_precision_digits = 3
CNF
openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -subj /CN=authority -days 300 \
    -config authority.cnf -extensions leaf 2> log
echo 01 > serial
echo picture > picture
cat > look.py <<'PYTHON'
import subprocess
import sys
from datetime import datetime, timezone

import rfc3161_client
import rfc3161ng
from asn1crypto import tsp
from pyasn1.codec.der import decoder, encoder
from pyasn1.type.useful import GeneralizedTime


def openssl(*arguments):
    return subprocess.run(["openssl", "ts", *arguments], check=True, capture_output=True, text=True).stdout


changed = False
for _ in range(3):
    openssl("-query", "-data", "picture", "-sha256", "-cert", "-out", "query")
    openssl("-reply", "-queryfile", "query", "-config", "authority.cnf", "-out", "reply")
    openssl("-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "authority.pem")
    with open("reply", "rb") as file:
        reply = file.read()
    token = tsp.TimeStampResp.load(reply)["time_stamp_token"]
    right = token["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    other = rfc3161ng.get_timestamp(token.dump(), naive=False)
    info = rfc3161_client.decode_timestamp_response(reply).tst_info
    print(f"asn1crypto {right:%T.%f}, rfc3161ng {other:%T.%f}, rfc3161-client {info.gen_time:%T.%f},", end=" ")
    print(f"of an accuracy of {info.accuracy.millis} ms")
    changed |= other != right or info.gen_time != right.replace(microsecond=0)
for put, expected in ((50_000, 500_000), (1_000, 100_000), (105_000, 150_000), (120_000, 120_000)):
    time = datetime(2026, 11, 30, 12, 0, 12, put, timezone.utc)
    der = encoder.encode(GeneralizedTime.fromDateTime(time))
    back = decoder.decode(der, asn1Spec=GeneralizedTime())[0].asDateTime
    print(f"pyasn1: {time:%T.%f} is written {der[2:].decode()} and read {back:%T.%f}")
    changed |= back != time.replace(microsecond=expected)
sys.exit("this has changed" if changed else 0)
PYTHON
venv/bin/python look.py
echo "as found"
