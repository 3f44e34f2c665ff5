"""Object identifiers of the C2PA arc and of the purposes that its trust model names (C2PA 2.5 §13.5; Certificate
Policy 0.2).
"""

from __future__ import annotations

from typing import Final

CLAIM_SIGNING: Final = "1.3.6.1.4.1.62558.2.1"  # c2pa-kp-claimSigning
EMAIL_PROTECTION: Final = "1.3.6.1.5.5.7.3.4"
DOCUMENT_SIGNING: Final = "1.3.6.1.5.5.7.3.36"
TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING: Final = "1.3.6.1.5.5.7.3.9"
ANY_PURPOSE: Final = "2.5.29.37.0"  # anyExtendedKeyUsage
MICROSOFT_C2PA: Final = "1.3.6.1.4.1.311.76.59.1.9"  # only on the interim list
ADOBE_ISSUING: Final = "1.2.840.113583.1.1.7"  # the one purpose of Adobe's older issuing CAs

CERTIFICATE_POLICY: Final = "1.3.6.1.4.1.62558.1.1"  # c2pa-certificate-policy
ASSURANCE_LEVEL: Final = "1.3.6.1.4.1.62558.3"  # extension; its value is one of the two below
ASSURANCE_LEVEL_1: Final = "1.3.6.1.4.1.62558.3.10"
ASSURANCE_LEVEL_2: Final = "1.3.6.1.4.1.62558.3.20"
CPL_RECORD: Final = "1.3.6.1.4.1.62558.4"  # extension; UUID in the Conforming Products List
