"""Random small PKIs, judged by the library and by `openssl verify -purpose sslclient`, which is what nginx asks.

`making` builds certificates and CRLs from DER and knows of each what it says and which key signed it. `traps` spoil
them, one thing each. `maker` throws dice. `model` says what is true of a case without asking anybody: which paths there
are, which certificates are anchors, what the CRLs say. `openssl` asks OpenSSL. `reasons` is the table of what is
refused here alone. `compare` holds the two answers against each other.

Run `python -m tests.core.differential` for 20,000 cases over several seeds.
"""
