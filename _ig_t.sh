P=".venv/bin/python -m pytest -q --basetemp=/tmp/bt_groups"
$P tests/submissions/test_selection_baselines.py tests/tracks/test_selection_worst_group.py > /tmp/ig_t3.txt 2>&1
$P tests/data/test_cards.py tests/data/test_bundled.py tests/protocol/test_manifests.py tests/protocol/test_roster.py tests/protocol/test_challenge.py tests/protocol/test_specifications.py tests/protocol/test_scaffold.py > /tmp/ig_t4.txt 2>&1
$P tests/submissions/test_awkward_tasks.py -k "distillation or group_ or jtt or cluster_balanced" > /tmp/ig_t5.txt 2>&1
