-- What the snapshot says about itself: revision, model version, when it was published, its newest message.
SELECT key, value FROM about LIMIT 50
