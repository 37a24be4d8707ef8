"""Rows from a database, by a query of the spec and a URL that only the environment knows.

The query becomes a subquery, so that the database itself leaves out columns that nobody wants; rows come
through a server-side cursor, chunk by chunk. The URL is a secret: no message and no log holds it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas
import sqlalchemy
from sqlalchemy import exc

from assay_training.data.sample import SampleConfig, Sieve
from assay_training.errors import JobError
from assay_training.runtime.transient import database_may_pass
from assay_training.spec import Data

URL = "ASSAY_SQL_URL"
CHUNK = 20_000
_DENIED = ("authentication", "password", "denied", "permission", "not authorized")
Pick = Callable[[list[str]], list[str]]


def queried(
    data: Data, pick: Pick, wanted: SampleConfig, environment: Mapping[str, str]
) -> tuple[pandas.DataFrame, int]:
    """The wanted rows of `data.sql`, and how many there are.

    Raises:
        JobError: There is no URL, the database refuses, or the query is wrong.
    """
    assert data.sql
    # a colon is no parameter: the query is the user's own text
    text = sqlalchemy.text(data.sql.query.strip().rstrip(";").replace(":", "\\:"))
    with _connected(environment.get(URL, "")) as connection:
        query = text.columns(*map(sqlalchemy.column, _header(connection, text))).subquery("assay_rows")
        columns = pick([column.name for column in query.columns])
        select = sqlalchemy.select(*(query.columns[name] for name in columns))
        sieve = Sieve(wanted)
        for chunk in pandas.read_sql_query(select, connection, chunksize=CHUNK):
            sieve.add(chunk)
        return sieve.rows() if sieve.rows_read else pandas.DataFrame(columns=columns), sieve.rows_read


def fingerprint(frame: pandas.DataFrame) -> str:
    """A digest of the rows, whatever their order."""
    rows = np.sort(pandas.util.hash_pandas_object(frame, index=False).to_numpy())
    names = "\0".join(map(str, frame.columns)).encode()
    return hashlib.sha256(names + rows.tobytes()).hexdigest()


def _header(connection: sqlalchemy.Connection, text: Any) -> list[str]:
    empty = sqlalchemy.select(sqlalchemy.text("*")).select_from(text.columns().subquery("assay_rows"))
    with connection.execute(empty.where(sqlalchemy.false())) as found:
        return list(found.keys())


@contextmanager
def _connected(url: str) -> Iterator[sqlalchemy.Connection]:
    """A connection that may only read, where the database knows of such."""
    if not url:
        raise JobError("InvalidSpec", "data.sql has no URL: the Secret of data.sql.urlSecretRef is empty")
    try:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            yield connection.execution_options(stream_results=True, postgresql_readonly=True)
    except (exc.ArgumentError, ImportError) as error:
        drivers = "psycopg (postgresql+psycopg://) and sqlite are there"
        kind = "is no SQLAlchemy URL" if isinstance(error, exc.ArgumentError) else "names a driver that the "
        kind += "" if isinstance(error, exc.ArgumentError) else f"trainer's image lacks; {drivers}"
        raise JobError("InvalidSpec", f"data.sql: the URL in the Secret {kind}") from None
    except exc.DBAPIError as error:
        raise _explained(error, url) from None


def _explained(error: exc.DBAPIError, url: str) -> JobError:
    message = " ".join(str(error.orig).split())
    password = sqlalchemy.make_url(url).password
    message = message.replace(str(password), "***")[:300] if password else message[:300]
    if any(word in message.lower() for word in _DENIED):
        return JobError("DataAccessDenied", f"data.sql is refused: {message}; check the URL in the Secret")
    reason = "DataNotFound" if isinstance(error, exc.OperationalError) else "DataUnreadable"
    words = f"data.sql cannot be read: {message}; check the query, and that the database is up"
    return JobError(reason, words, passing=database_may_pass(error))
