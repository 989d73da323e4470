"""The database: mapped classes, and ``Base`` for tables of plug-ins."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Unicode,
    create_engine,
    event,
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session, backref, interfaces, joinedload, object_session, relationship
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import Text, TypeDecorator

from perijove.compat.orm.base import Base, JSONDict, JSONList
from perijove.compat.orm.base import guest_metadata as meta
from perijove.compat.orm.base import naive_now as utcnow
from perijove.compat.orm.factory import DatabaseSchemaMismatch, get_class, new_session_factory
from perijove.compat.orm.people import Group, Role, Service, User
from perijove.compat.orm.shares import Share, ShareCode
from perijove.compat.orm.spawners import Server, Spawner
from perijove.compat.orm.tokens import APIToken, Expiring, Hashed, OAuthClient, OAuthCode
