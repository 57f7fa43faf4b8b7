"""The listener's TLS key and its self-signed certificate; identity never rests on it (TRUST §1.4)."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import NameOID

from fedbatch.store.objects import write_durably

__all__ = ["certificate_sha256", "make_certificate", "verify_certificate"]

# The pin decides, not the date; a certificate that ran out would only stop a link for nothing.
_VALID = timedelta(days=3650)


def make_certificate(folder: Path, node: str, now: datetime) -> tuple[Path, Path]:
    """The certificate and key files of a node's TLS, made at first use; (certificate, key)."""
    certificate_path, key_path = folder / "tls.crt", folder / "tls.key"
    if certificate_path.exists() and key_path.exists():
        return certificate_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
    write_durably(key_path, _private_pem(key), mode=0o600)
    write_durably(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def verify_certificate(folder: Path) -> list[str]:
    """What is wrong with the TLS key and certificate, if there are any."""
    certificate_path, key_path = folder / "tls.crt", folder / "tls.key"
    if not certificate_path.exists() and not key_path.exists():
        return []
    try:
        public_pem, private_pem = certificate_path.read_bytes(), key_path.read_bytes()
        certificate = x509.load_pem_x509_certificate(public_pem)
        certificate.verify_directly_issued_by(certificate)
        key = serialization.load_pem_private_key(private_pem, None)
    except (OSError, TypeError, ValueError, InvalidSignature) as error:
        return [f"tls.crt, tls.key: {type(error).__name__}"]
    is_pair = key.public_key() == certificate.public_key()
    written = certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key)
    if is_pair and written == (public_pem, private_pem):
        return []
    return ["tls.crt, tls.key: not as they were written"]


def _private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_sha256(pem: bytes) -> str:
    """SHA-256 of a certificate's public key (SPKI), in hex."""
    public = x509.load_pem_x509_certificate(pem).public_key()
    content = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(content).hexdigest()
