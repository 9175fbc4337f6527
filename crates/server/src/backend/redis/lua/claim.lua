-- In one step: takes the best compatible ticket of another node out of the pool; else leaves one's own there.
-- KEYS: the line (sorted set, waiting since in ms), its tickets (hash).
-- ARGV: node, ticket, session, interests, languages, insists on interest, on language (ms; 0 no, -1 always), waited,
-- made (ms ago), pause of recent partners, recent, blocked, lease (ms), how many to look at. Lists: each followed by ','.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, ticket, session = ARGV[1], ARGV[2], ARGV[3]

local function set(list)
  local members = {}
  for member in string.gmatch(list, '([^,]+),') do members[member] = true end
  return members
end
local function shares(members, list)
  for member in string.gmatch(list, '([^,]+),') do if members[member] then return true end end
  return false
end
local function ends(insists)
  insists = tonumber(insists)
  if insists > 0 then return now + insists end
  return insists
end
local function insists(till) return till < 0 or till > now end

local interests, languages, recent, blocked = set(ARGV[4]), set(ARGV[5]), set(ARGV[11]), set(ARGV[12])
local interest_till, language_till = ends(ARGV[6]), ends(ARGV[7])
local since, made, pause = now - tonumber(ARGV[8]), now - tonumber(ARGV[9]), tonumber(ARGV[10])
local scan = tonumber(ARGV[14])

redis.call('ZREM', KEYS[1], ticket)
redis.call('HDEL', KEYS[2], ticket)

-- The oldest, and a few from somewhere behind them: nobody is passed over for ever because the oldest are picky.
local seen = redis.call('ZRANGE', KEYS[1], 0, scan - 1)
local behind = redis.call('ZCARD', KEYS[1]) - scan
if behind > 0 then
  local first = scan + tonumber(string.sub(ticket, 1, 8), 16) % behind
  for _, other in ipairs(redis.call('ZRANGE', KEYS[1], first, first + scan - 1)) do seen[#seen + 1] = other end
end

local function take(other, owner)
  redis.call('ZREM', KEYS[1], other)
  redis.call('HDEL', KEYS[2], other)
  return { owner, other }
end

local met, met_owner
for _, other in ipairs(seen) do
  local entry = redis.call('HGET', KEYS[2], other)
  local owner, their_session, their_interests, their_languages, their_interest_till, their_language_till, their_made,
    their_recent, their_blocked, leased_till
  if entry then
    owner, their_session, their_interests, their_languages, their_interest_till, their_language_till, their_made,
      their_recent, their_blocked, leased_till = string.match(entry,
        '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)$')
  end
  if not owner or tonumber(leased_till) < now then
    redis.call('ZREM', KEYS[1], other)
    redis.call('HDEL', KEYS[2], other)
  elseif owner ~= node
    and not blocked[their_session]
    and not string.find(their_blocked, session .. ',', 1, true)
    and (not (insists(interest_till) or insists(tonumber(their_interest_till))) or shares(interests, their_interests))
    and (not (insists(language_till) or insists(tonumber(their_language_till))) or shares(languages, their_languages))
  then
    if not recent[their_session] and not string.find(their_recent, session .. ',', 1, true) then
      return take(other, owner)
    end
    if not met and now >= math.max(made, tonumber(their_made)) + pause then met, met_owner = other, owner end
  end
end
if met then return take(met, met_owner) end

local lease = tonumber(ARGV[13])
local function text(number) return string.format('%.0f', number) end
redis.call('ZADD', KEYS[1], text(since), ticket)
redis.call('HSET', KEYS[2], ticket, table.concat({ node, session, ARGV[4], ARGV[5], text(interest_till),
  text(language_till), text(made), ARGV[11], ARGV[12], text(now + lease) }, '|'))
redis.call('PEXPIRE', KEYS[1], lease + 60000)
redis.call('PEXPIRE', KEYS[2], lease + 60000)
return {}
