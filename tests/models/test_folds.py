from models.folds import labelled_fold, text_key, tweet_fold


def test_folds_never_change():
    assert [labelled_fold(row) for row in ("785a792536", "4e7fd56dd4", "b17f4acfe7")] == [
        labelled_fold(row) for row in ("785a792536", "4e7fd56dd4", "b17f4acfe7")
    ]
    shares = [labelled_fold(str(number)) for number in range(15_000)]
    assert abs(shares.count("judge") / 15_000 - 0.2) < 0.015
    assert abs(shares.count("calibrate") / 15_000 - 1 / 15) < 0.01


def test_copies_of_a_text_share_a_fold():
    first, second = "@anna LOVE it!!! https://t.co/x1", "<USER> love it <URL>"
    assert text_key(first) == text_key(second) == "love it"
    assert tweet_fold(first) == tweet_fold(second)
