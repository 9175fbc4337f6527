-- What is to be known of a session should its node die: which tokens are used up, where it is, what is kept for it.
-- KEYS: the session (hash). ARGV: generation, node, time to live in ms, what is kept (or nothing).
local known = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
if tonumber(ARGV[1]) < known then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'node', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'kept', ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
