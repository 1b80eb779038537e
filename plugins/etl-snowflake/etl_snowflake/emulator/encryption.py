"""Client-side encryption of staged files: what the driver does to a file before it uploads it, undone."""

import json
from base64 import b64decode
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a file was encrypted: its own key wrapped by the stage's master key, and the initialisation vector.

    `metadata` and `description` are the headers that the driver sent, which a GET gives back.
    """

    master_key: bytes
    metadata: str
    description: str

    @property
    def wrapped_key(self) -> bytes:
        """The file's key, encrypted."""
        return b64decode(json.loads(self.metadata)["WrappedContentKey"]["EncryptedKey"])

    @property
    def vector(self) -> bytes:
        """The initialisation vector."""
        return b64decode(json.loads(self.metadata)["ContentEncryptionIV"])


def decrypt(data: bytes, encryption: Encryption) -> bytes:
    """The plain bytes of an encrypted file.

    :raises ValueError: the bytes are not whole blocks, as of a truncated upload.
    """
    # the wrapping is the drivers' own format: one AES block mode without chaining, as Snowflake's drivers publish it
    wrapped = Cipher(algorithms.AES(encryption.master_key), modes.ECB()).decryptor()  # noqa: S305
    key = _unpad(wrapped.update(encryption.wrapped_key) + wrapped.finalize())
    content = Cipher(algorithms.AES(key), modes.CBC(encryption.vector)).decryptor()
    return _unpad(content.update(data) + content.finalize())


def _unpad(data: bytes) -> bytes:
    padding = data[-1] if data else 0
    if not 1 <= padding <= 16 or data[-padding:] != bytes([padding]) * padding:
        raise ValueError("the file is truncated or was encrypted with another key")
    return data[:-padding]
