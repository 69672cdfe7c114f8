"""Trouble with the disk of this machine, told as an error of ours: one source or period fails by it, and no other."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from offgridflow.domain.errors import LedgerError

_TROUBLES: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE}
)


@contextmanager
def local_disk(what: str) -> Iterator[None]:
    """Give a context in which ``what`` reads and writes files here, beside the ledger: cache and work folder.

    Raises LedgerError LOCAL_DISK where the system refuses one; it is tried again by the next run.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _TROUBLES:
            raise
        sentence = f"{what}: a file of the cache or the work folder cannot be used: {os.strerror(error.errno)}."
        action = "Check permissions and free space there; the next run tries it again."
        raise LedgerError(sentence, action=action, code="LOCAL_DISK") from error
