"""What the marks of assets lived through when a ladder was last measured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "survival",
        sa.Column("asset_number", _NUMBER, nullable=False, autoincrement=False),
        sa.Column("ladder", sa.Text, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("asset_number", "ladder", name="pk_survival"),
        sa.ForeignKeyConstraint(["asset_number"], ["asset.number"], name="fk_survival_asset_number"),
    )


def downgrade() -> None:
    raise NotImplementedError("the schema only moves forward")
