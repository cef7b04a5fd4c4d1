"""Two further judges, which share no code with OpenSSL: pyhanko-certvalidator, and cryptography's own verifier.

pyhanko-certvalidator validates a path that it is given, by RFC 5280 section 6.1. It is asked about each path that the
library accepts and OpenSSL refuses. cryptography's verifier builds paths itself, by the rules of the web PKI.
"""

from __future__ import annotations

import datetime as dt
import warnings

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.errors import PathError, ValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.validate import validate_path

from . import model
from .making import Case
from .model import Path


def refusal_by_pyhanko(case: Case, path: Path) -> str:
    """What pyhanko-certvalidator says against a path, from the leaf to the anchor; nothing if it accepts it.

    Policies are not asked here, and of CRLs it understands less than the model.
    """
    if len(path) == 1:
        return ""  # a pinned certificate has no issuer to be judged by
    try:
        leaf, *middle, anchor = (asn1.Certificate.load(made.der) for made in path)
        context = ValidationContext(
            trust_roots=[anchor],
            moment=case.at,
            revocation_mode="soft-fail",
            weak_hash_algos={"md2", "md5", "sha1"},
            time_tolerance=dt.timedelta(0),
        )
        validate_path(context, ValidationPath(CertTrustAnchor(anchor), reversed(middle), leaf))
    except (ValidationError, PathError) as error:
        return "" if "valid set of policies" in str(error) else f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # it has several for what it does not read, Ed448 among that
        return ""
    return ""


_ANY_CA = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)


def path_by_cryptography(case: Case) -> Path | None:
    """The path that cryptography's verifier finds for a client, by the least that it can be told to ask; or None."""
    readable = [made for made in case.members if made.parses]
    by_der = {made.der: made for made in reversed(case.members)}
    roots = [one for one in readable if model.is_anchor(one, case)]
    if case.leaf not in readable or not roots:
        return None
    pool = [x509.load_der_x509_certificate(one.der) for one in readable if one not in (*roots, case.leaf)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = PolicyBuilder().time(case.at).max_chain_depth(case.max_depth)
        builder = builder.extension_policies(ca_policy=_ANY_CA, ee_policy=ExtensionPolicy.permit_all())
        verifier = builder.store(Store([x509.load_der_x509_certificate(one.der) for one in roots]))
        try:
            found = verifier.build_client_verifier().verify(x509.load_der_x509_certificate(case.leaf.der), pool)
        except (VerificationError, ValueError):
            return None
    return tuple(by_der[one.public_bytes(Encoding.DER)] for one in found.chain)
