-- A node renews its lease, or gives it back (0 ms), and hears of all nodes that are known.
-- KEYS: leases by node (sorted set, end in ms), what nodes say of themselves (hash). ARGV: node, lease in ms, info.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
-- Who lapsed a minute ago has been seen to be gone by everybody.
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - 60000)) do
  redis.call('ZREM', KEYS[1], node)
  redis.call('HDEL', KEYS[2], node)
end
redis.call('PEXPIRE', KEYS[1], 600000)
redis.call('PEXPIRE', KEYS[2], 600000)
local known = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local answer = {}
for i = 1, #known, 2 do
  answer[#answer + 1] = { known[i], tonumber(known[i + 1]) - now, redis.call('HGET', KEYS[2], known[i]) or '' }
end
return answer
