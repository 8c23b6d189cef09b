"""Where are answers kept until their labels come? In SQLite or PostgreSQL, through a writer that never waits."""

from polyculture.lazy import lazy_exports

_HOMES = {
    "AnswerRecord": "records",
    "EventRecord": "records",
    "LabelReport": "labels",
    "Masking": "masking",
    "Store": "store",
    "StoreCounts": "store",
    "StoredAnswers": "columns",
    "VersionNames": "columns",
    "Writer": "writer",
    "WriterHealth": "writer",
    "WriterOptions": "writer",
    "label_file": "label_tables",
    "open_store": "store",
}
__all__ = [
    "AnswerRecord",
    "EventRecord",
    "LabelReport",
    "Masking",
    "Store",
    "StoreCounts",
    "StoredAnswers",
    "VersionNames",
    "Writer",
    "WriterHealth",
    "WriterOptions",
    "label_file",
    "open_store",
]
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
