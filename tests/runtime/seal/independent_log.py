"""A second reader of logs, written from section 10 of FORMAT.md as `independent_reader.py` is."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from independent_reader import (
    Json,
    bech32,
    canonical,
    need,
    read_certificate,
    read_json,
    verify,
    verify_of_day,
)


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return hashlib.sha256(b"".join(b"\x00" + leaf for leaf in leaves)).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def read_checkpoint(note: bytes, name: str, key: str) -> tuple[int, bytes, str]:
    text, _, signed = note.decode().partition("\n\n")
    origin, size, encoded = text.split("\n")
    need(origin == f"sealshot/{name}", "origin")
    public = bech32(key, "sealshot-key")
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    found = {}
    for line in signed.splitlines():
        dash, signer, signature = line.split(" ")
        need((dash, signer) == ("\u2014", origin), "signer")
        found[base64.b64decode(signature)[:4]] = base64.b64decode(signature)[4:]
    kind = b"\xffsealshot/checkpoint-key/1"
    certifier = hashlib.sha256(origin.encode() + b"\n" + kind + public).digest()[:4]
    kind, day = b"\xffsealshot/day-checkpoint/1", ""
    of_day = hashlib.sha256(origin.encode() + b"\n" + kind + public).digest()[:4]
    if certifier in found:
        day, signer = read_certificate(found[of_day][:106], key)
        verify_of_day(signer, found[of_day][106:], (text + "\n").encode())
        public, certificate = found[certifier][:32], found[certifier][32:]
        verify(key, certificate, b"sealshot/checkpoint-key/1\n" + public)
        key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    verify_of_day(public, found[key_id], (text + "\n").encode())
    return int(size), base64.b64decode(encoded), day


def read_log(data: bytes, name: str, key: str, notes: list[bytes]) -> list[Json]:
    lines = data.split(b"\n")[:-1]
    entries: list[Json] = []
    days = [""]
    day, signer = "", bech32(key, "sealshot-key")
    for index, line in enumerate(lines):
        entry, _, signature = line.rpartition(b" ")
        message = f"sealshot/log/1\n{name}\n{index}\n".encode() + entry
        value = read_json(entry)
        need(canonical(value) == entry, "not canonical")
        if value["event"] == "key-changed":
            new = bech32(value["key"], "sealshot-key")
            certificate = value["day"].encode() + new + base64.b64decode(value["certificate"])
            read_certificate(certificate, key)
            need(value["day"] > day and value["root"] == root(lines[:index]).hex(), "key-changed")
            try:
                verify_of_day(signer, base64.b64decode(signature), message)
            except InvalidSignature:
                verify_of_day(new, base64.b64decode(signature), message)
            day, signer = value["day"], new
        else:
            verify_of_day(signer, base64.b64decode(signature), message)
        need(day <= value["time"][:10], "the key of a later day")
        entries.append(value)
        days.append(day)
    for note in notes:
        size, expected, signed_on = read_checkpoint(note, name, key)
        need(size <= len(lines) and root(lines[:size]) == expected, "changed")
        need(days[size] == signed_on, "the checkpoint of another day's key")
    return entries
