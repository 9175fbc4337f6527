-- Takes a ticket out of the pool. KEYS: the line, its tickets. ARGV: ticket.
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
