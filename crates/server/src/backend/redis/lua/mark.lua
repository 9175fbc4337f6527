-- A token was presented: used up if one of its generation or a later one was before; else it is now.
-- KEYS: the session (hash). ARGV: generation, time to live in ms. Answers with what was kept for the session; with nothing
-- if the token is used up.
local known = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
local generation = tonumber(ARGV[1])
if generation < known then return {} end
local kept = redis.call('HGET', KEYS[1], 'kept') or ''
redis.call('HSET', KEYS[1], 'generation', generation + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { kept }
