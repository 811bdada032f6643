"""The signed manifest of a generation: what the site vouches for when it publishes one.

The manifest is one line of JSON with sorted keys, so that equal facts are equal bytes. It is made anew of the
record each time that the signature is looked at: what a record says beside it, such as notes, may change.
"""

from __future__ import annotations

import json

from provisioner.errors import IntegrityError
from provisioner.model.image import Generation
from provisioner.trust.signing import ForeignSignatureError, SigningKeys


def manifest(generation: Generation) -> bytes:
    """What is signed: name and number, when it was made, its tree, and digest and size of every artifact."""
    files = {name: [each.digest, each.size] for name, each in generation.artifacts.items()}
    told = {
        "what": "generation",
        "image": generation.image,
        "number": generation.number,
        "created": generation.created,
        "architecture": generation.architecture,
        "kernel_release": generation.kernel_release,
        "tree": generation.tree,
        "artifacts": files,
        "verity_root": generation.verity_root,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def sealed(generation: Generation, keys: SigningKeys) -> Generation:
    """The generation with the site's signature."""
    return generation.model_copy(update={"signature": keys.signed(manifest(generation))})


def broken(generation: Generation, keys: SigningKeys) -> str:
    """What is wrong with a signature of this site, in words; empty where it is good, or not ours to judge."""
    try:
        keys.verify(manifest(generation), generation.signature)
    except ForeignSignatureError:
        return ""
    except IntegrityError:
        return f"the record of {generation.name} is not what this site signed"
    return ""


def unsealed(generation: Generation, keys: SigningKeys) -> str:
    """Why this site does not vouch for a generation: `broken`, or no signature of ours; else empty."""
    try:
        keys.verify(manifest(generation), generation.signature)
    except ForeignSignatureError as error:
        if not generation.signature:
            return f"{generation.name} is not signed"
        return f"{generation.name}: {error.message}"
    except IntegrityError:
        return broken(generation, keys)
    return ""
