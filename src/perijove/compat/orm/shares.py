"""Shares and invitations as mapped classes."""

from typing import Any

from sqlalchemy.orm import Session, relationship

from perijove.compat.orm import base
from perijove.compat.orm.base import Base
from perijove.compat.orm.people import Group, User
from perijove.compat.orm.spawners import Spawner
from perijove.compat.orm.tokens import Expiring, Hashed


class Share(Expiring, Base):
    """What a person or group may do with somebody's server."""

    __table__ = base.shares

    created_at = base.shares.c.created
    spawner = relationship("Spawner", back_populates="shares")
    user = relationship("User", back_populates="shared_with_me")
    group = relationship("Group", back_populates="shared_with_me")

    @property
    def owner(self) -> Any:
        """Whose server it is."""
        return self.spawner.user

    @classmethod
    def find(cls, db: Session, spawner: Any, share_with: User | Group) -> Any:
        """The share of this server with this person or group, or None."""
        table = base.shares.c
        column = table.user_id if isinstance(share_with, User) else table.group_id
        row: Spawner = spawner.orm_spawner
        return db.query(cls).filter(table.server_id == row.id, column == share_with.id).first()


class ShareCode(Hashed, Base):
    """An invitation to somebody's server."""

    __table__ = base.share_codes

    created_at = base.share_codes.c.created
    spawner = relationship("Spawner", back_populates="share_codes")

    @property
    def owner(self) -> Any:
        """Whose server it is."""
        return self.spawner.user
