"""The column names of every table in the library, once, and the range of its timestamps."""

USER = "user_id"
ITEM = "item_id"
TIMESTAMP = "timestamp"  # integer seconds since 1970-01-01, UTC
RATING = "rating"
WEIGHT = "weight"
TITLE = "title"
SCORE = "score"
RANK = "rank"

LATEST_TIMESTAMP = 2**33  # the year 2242; a larger number is milliseconds, not seconds
