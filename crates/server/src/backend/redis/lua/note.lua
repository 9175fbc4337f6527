-- What is to be known of a session should its node die: which tokens are used up, what is kept for it.
-- KEYS: the session (hash). ARGV: generation, time to live in ms, what is kept (or nothing).
local known = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
if tonumber(ARGV[1]) < known then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'kept', ARGV[3]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
