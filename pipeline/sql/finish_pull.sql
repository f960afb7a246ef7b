UPDATE pull
SET
    finished_at = $now, state = $state, error = $error, requests = $requests, read = $read, landed = $landed,
    edited = $edited, erased = $erased, quarantined = $quarantined, newest = $newest, shape = $shape, notes = $notes
WHERE pull_id = $pull_id;
