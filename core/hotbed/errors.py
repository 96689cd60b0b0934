"""Every error that hotbed raises on purpose.

::

    HotbedError
    ├── UsageError (also a ValueError)     an argument that cannot be used
    ├── SettingsError                      a mistake in a settings file or a HOTBED_* variable
    ├── SourceError                        the model could not be found or fetched
    │   └── DigestError                    it was fetched, and its bytes are not the expected ones
    ├── ModelError                         the model folder cannot be used
    │   ├── MissingFileError               a file that the folder needs is not there
    │   ├── CorruptFileError               a file is there and cannot be read
    │   └── UnsupportedModelError          readable, but nothing here can run it faithfully
    ├── BackendError                       a backend failed, or broke its contract
    │   ├── NoBackendError                 no installed backend can serve the request
    │   └── DeviceError                    the device asked for is not the one that would be used
    ├── ConversionError                    a conversion did not finish; nothing was published
    │   ├── FidelityError                  it finished, and its vectors are too far off
    │   └── BoundsError                    no way of quantising keeps the bounds
    ├── RegistryError                      a registry refused, or something is wrong with it
    │   ├── NotRegisteredError             (also a SourceError) no such model, version or alias
    │   ├── IncompatibleError              vectors of two versions would not mix
    │   ├── RegistryDamageError            its database is damaged
    │   ├── RegistryUnavailableError       its database or its files cannot be reached now
    │   └── SignatureError                 a version is not signed, or not as it is now
    ├── NonFiniteError                     vectors hold NaN or infinity; the texts are named
    ├── HealthError                        a candidate failed its check; what served goes on
    └── ClosedError                        an embedder was used after close()

A message says what was asked, what was found, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotbed.fidelity.report import Report

__all__ = [
    "BackendError",
    "BoundsError",
    "ClosedError",
    "ConversionError",
    "CorruptFileError",
    "DeviceError",
    "DigestError",
    "FidelityError",
    "HealthError",
    "HotbedError",
    "HotbedWarning",
    "IncompatibleError",
    "MissingFileError",
    "ModelError",
    "NoBackendError",
    "NonFiniteError",
    "NotRegisteredError",
    "RegistryDamageError",
    "RegistryError",
    "RegistryUnavailableError",
    "SettingsError",
    "SignatureError",
    "SourceError",
    "UnsupportedModelError",
    "UsageError",
]


class HotbedError(Exception):
    """The base of every error that hotbed raises on purpose."""


class UsageError(HotbedError, ValueError):
    """An argument cannot be used; the message names it and the values that can."""


class SettingsError(HotbedError):
    """A settings file or a ``HOTBED_*`` variable holds a mistake; all mistakes come together."""


class SourceError(HotbedError):
    """A model could not be found or fetched; the message lists what was tried."""


class DigestError(SourceError):
    """A fetched file does not have the pinned digest; it was not kept."""


class ModelError(HotbedError):
    """A model folder cannot be used."""


class MissingFileError(ModelError):
    """A file that the model folder needs is not there."""


class CorruptFileError(ModelError):
    """A file of the model folder is there, and cannot be read."""


class UnsupportedModelError(ModelError):
    """The folder is readable, and something in it cannot be run faithfully here."""


class BackendError(HotbedError):
    """A backend failed, or broke its contract."""


class NoBackendError(BackendError):
    """No installed backend can serve the request; the message is the decision's table."""


class DeviceError(BackendError):
    """The device asked for is not the device that the backend would really use."""


class ConversionError(HotbedError):
    """A conversion did not finish; nothing of it was published."""


class FidelityError(ConversionError):
    """What was written is too far from what it was made from; nothing of it was published.

    Attributes:
        report: What was found; None where it could not be measured.
        nbytes: Bytes of the files that were refused.
    """

    report: Report | None = None
    nbytes: int = 0


class BoundsError(ConversionError):
    """No way of quantising that was tried keeps the bounds; nothing of them was published."""


class RegistryError(HotbedError):
    """A registry refused what was asked, or something is wrong with it; nothing was changed."""


class NotRegisteredError(RegistryError, SourceError):
    """There is no such model, version or alias; the message lists what there is."""


class IncompatibleError(RegistryError):
    """An alias would move to a version whose vectors do not mix with those of the old one."""


class RegistryDamageError(RegistryError):
    """The registry's database is damaged, or holds what hotbed never wrote; restore a copy."""


class RegistryUnavailableError(RegistryError):
    """The registry cannot be reached or written now; nothing is wrong with any version in it."""


class SignatureError(RegistryError):
    """A version has no signature that fits the key and its files; each problem is named."""


class NonFiniteError(HotbedError):
    """Vectors hold NaN or infinity; the message names the texts and what to try.

    Attributes:
        indices: Where the texts stand in the list or the stream, from 0.
    """

    indices: tuple[int, ...] = ()


class HealthError(HotbedError):
    """A model failed the check before it would have served; the message has the numbers."""


class ClosedError(HotbedError):
    """An embedder was used after ``close()``."""


class HotbedWarning(UserWarning):
    """Something that a user should know and that does not stop the work."""
