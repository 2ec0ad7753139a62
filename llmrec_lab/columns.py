"""The column names of every table in the library, once. Knows nothing about what the columns hold."""

USER = "user_id"
ITEM = "item_id"
TIMESTAMP = "timestamp"  # integer seconds since 1970-01-01, UTC
RATING = "rating"
WEIGHT = "weight"
TITLE = "title"
SCORE = "score"
RANK = "rank"
