"""A folder as the kubelet mounts a secret, and how it swaps the files in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Secret"]


class Secret:
    """A mounted secret: ca.crt -> ..data/ca.crt, and ..data -> ..<time>, swapped by rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.crl = folder / "ca.crl"
        self._generation = 0

    def update(self, **files: str) -> None:
        """Replace all files by these; `ca_crt` is the content of ca.crt."""
        self._generation += 1
        before = self.folder / "..data"
        old = before.readlink() if before.is_symlink() else None
        target = self.folder / f"..2026_01_01_00_00_00.{self._generation}"
        target.mkdir()
        for name, content in files.items():
            (target / name.replace("_", ".")).write_text(content, encoding="ascii")
        (self.folder / "..data_tmp").symlink_to(target.name)
        (self.folder / "..data_tmp").rename(before)
        for name in files:
            path = self.folder / name.replace("_", ".")
            if not path.is_symlink():
                path.symlink_to(Path("..data") / path.name)
        if old is not None:
            for file in (self.folder / old).iterdir():
                file.unlink()
            (self.folder / old).rmdir()
