from models.folds import labelled_fold, text_key, tweet_fold


def test_folds_never_change():
    rows = ("785a792536", "4e7fd56dd4", "b17f4acfe7", "fernhollow-T0004-1")
    assert [labelled_fold(row) for row in rows] == ["judge", "train", "train", "train"]
    shares = [labelled_fold(str(number)) for number in range(15_000)]
    assert abs(shares.count("judge") / 15_000 - 0.2) < 0.015
    assert abs(shares.count("calibrate") / 15_000 - 1 / 15) < 0.01


def test_copies_of_a_text_share_a_fold():
    first, second = "LOVE it, really!!! https://t.co/x1", "love it... REALLY http://t.co/y2"
    assert text_key(first) == text_key(second) == "love it really"
    assert tweet_fold(first) == tweet_fold(second)
