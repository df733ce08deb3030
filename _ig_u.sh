P=".venv/bin/python -m pytest -q --basetemp=/tmp/bt_groups"
$P tests/redteam/test_game_the_metric.py -k "distilled or groups or one_group" > /tmp/ig_t6.txt 2>&1
$P tests/tracks/test_nasty_values.py -k "distillation or training_set" > /tmp/ig_t7.txt 2>&1
$P tests/tracks/test_training_set.py tests/tracks/test_selection_legacy_speech.py tests/test_track_docs.py tests/test_texts.py tests/test_page_commands.py tests/sandbox/test_wire.py tests/protocol/test_fingerprints.py tests/leaderboard/test_board.py tests/evaluation/test_transfer.py tests/tracks/test_view_texts.py > /tmp/ig_t8.txt 2>&1
/work/main/.venv/bin/lint-imports > /tmp/ig_li.txt 2>&1
/work/main/.venv/bin/mypy > /tmp/ig_mypy.txt 2>&1
