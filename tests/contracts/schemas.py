"""What is in a database besides rows: every table, constraint, index, trigger, function and sequence."""

from sqlalchemy import Engine, text

__all__ = ["objects", "ours"]

_SQLITE = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
_POSTGRESQL = """
SELECT format('column %s.%s %s %s %s %s %s %s', table_name, ordinal_position, column_name, data_type,
  character_maximum_length, is_nullable, collation_name, coalesce(generation_expression, column_default))
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT format('function %s %s', proname, prosrc) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public'
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
"""

_MARIADB = """
SELECT CONCAT_WS(' ', 'table', table_name, engine, row_format, table_collation)
FROM information_schema.tables WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT_WS(' ', 'column', CONCAT(table_name, '.', ordinal_position), column_name, column_type,
  is_nullable, collation_name, column_default, generation_expression, extra)
FROM information_schema.columns WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT_WS(' ', 'constraint', table_name, constraint_name, constraint_type)
FROM information_schema.table_constraints WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT_WS(' ', 'key', table_name, constraint_name, referenced_table_name, delete_rule)
FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()
UNION ALL SELECT CONCAT_WS(' ', 'index', table_name, index_name, seq_in_index, column_name, non_unique)
FROM information_schema.statistics WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT_WS(' ', 'trigger', trigger_name, event_object_table, action_timing, action_statement)
FROM information_schema.triggers WHERE trigger_schema = DATABASE()
"""
_QUESTIONS = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL, "mysql": _MARIADB}


def objects(engine: Engine) -> set[str]:
    """Describe every object in a database."""
    question = _QUESTIONS[engine.dialect.name]
    with engine.connect() as connection:
        return {" ".join(described.split()) for described in connection.execute(text(question)).scalars()}


def ours(engine: Engine) -> set[str]:
    """Describe the library's own, without the table in which `sqr-jobs db` records its revision."""
    found = objects(engine)
    return {name for name in found if "sqr_jobs_" in name and "sqr_jobs_alembic_version" not in name}
