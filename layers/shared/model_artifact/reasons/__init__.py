"""Why a loan is likely to be late: exact Shapley values of the late probability, and the reasons made of them.

The probability of a record is compared with that of a reference, a typical on-time loan that the version's manifest
keeps. Needs the standard library and NumPy, and a scorer of ``serving_form``.
"""

# The version of the table of codes (`codes`), which manifests name.
CODES_VERSION = 1
# Named instead by a manifest that leaves codes out or words them, so that older code, which can't, refuses it.
WORDED_CODES_VERSION = 2
