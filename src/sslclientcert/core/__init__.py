"""The framework-agnostic core. Its modules read in the order the data flows:

headers, decoding, proxies, presented, policy, revocation, trust, identity, peers, authenticator.

Nothing here imports a web framework or anything above this package.
"""
