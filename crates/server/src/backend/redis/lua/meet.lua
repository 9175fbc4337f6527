-- One side of a match says where it is, and hears where the other is, if that has said so.
-- KEYS: the match (hash). ARGV: own side, other side, node, time to live in ms.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return redis.call('HGET', KEYS[1], ARGV[2]) or ''
