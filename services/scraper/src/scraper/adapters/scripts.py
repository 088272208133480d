"""What Redis does in one step for the frontier, in Lua, with commands of Redis 7.0.

Keys of one crawl begin with KEYS[1], which has a hash tag: `c` counts and bounds; `turns` the origins with
something waiting, in the order of their turns; `w` how many each has; `q:<origin>:<rank>` their links;
`accepted` by host; `seen:<n>` fingerprints, as sets of integers that stay compact; `held:<owner>` what an engine
has taken; `holders` which those are; `pages` what became of each link.

Of all crawls together: a key for each replica that lives, the set of them, a hash of who holds which shard (empty
if nobody does any more), and a key for each host that asked for rest.
"""

__all__ = [
    "CLAIM", "CLOSE", "EXCHANGE", "FINISH", "FORGET", "GIVE_BACK", "JOIN", "LEAVE", "OPEN", "REAP", "RELEASE",
    "TAKE",
]  # fmt: skip

COMMON = """
local p = KEYS[1]
local C = p .. 'c'
local function count(name) return tonumber(redis.call('HGET', C, name) or '0') end
local function queue(origin, rank, side, item)
  redis.call(side, p .. 'q:' .. origin .. ':' .. rank, item)
  if redis.call('HINCRBY', p .. 'w', origin, 1) == 1 then redis.call('RPUSH', p .. 'turns', origin) end
  redis.call('HINCRBY', C, 'waiting', 1)
end
local function add(links)
  for _, l in ipairs(links) do
    local origin, host = l[1], l[2]
    local n = tonumber(redis.call('HGET', p .. 'accepted', host) or '0')
    local full = n >= count('domain_pages')
    if n == 0 and not full then full = redis.call('HLEN', p .. 'accepted') >= count('domains') end
    if not full and redis.call('SADD', p .. 'seen:' .. l[3], l[4]) == 1 then
      redis.call('HINCRBY', p .. 'accepted', host, 1)
      queue(origin, l[5], 'RPUSH', l[6])
    end
  end
end
local function back(owner, url, item)
  if redis.call('HDEL', p .. 'held:' .. owner, url) == 1 then
    local origin, rank, rest = string.match(item, '^(%S+) (%d) (.*)$')
    redis.call('HINCRBY', C, 'held', -1)
    if count('closed') == 0 then queue(origin, rank, 'LPUSH', rest) end
  end
end
local function all_back(owner)
  local held = redis.call('HGETALL', p .. 'held:' .. owner)
  for i = 1, #held, 2 do back(owner, held[i], held[i + 1]) end
end
"""

OPEN = (
    COMMON
    + """
if redis.call('HSETNX', C, 'pages', ARGV[1]) == 1 then
  redis.call('HSET', C, 'domain_pages', ARGV[2], 'domains', ARGV[3], 'closed', 0)
  add(cjson.decode(ARGV[4]))
end
return 1
"""
)

TAKE = (
    COMMON
    + """
local owner, most, ours, skip, out = ARGV[1], tonumber(ARGV[2]), ARGV[3], {}, {}
if ARGV[4] == '1' then all_back(owner) end
for i = 5, #ARGV do skip[ARGV[i]] = true end
local function passes(host)
  if skip[host] == nil then
    local shard = tonumber(string.sub(redis.sha1hex((string.gsub(host, '^www%.', ''))), 1, 2), 16)
    local theirs = string.sub(ours, shard + 1, shard + 1) == '0'
    skip[host] = theirs or redis.call('EXISTS', KEYS[2] .. host) == 1
  end
  return skip[host]
end
local room = count('pages') - count('done') - count('held')
if count('closed') == 1 then room = 0 end
most = math.min(most, room)
local passed, n = 0, redis.call('LLEN', p .. 'turns')
while #out < 2 * most and passed < n do
  local origin = redis.call('LMOVE', p .. 'turns', p .. 'turns', 'LEFT', 'RIGHT')
  local host = string.match(origin, '^%a+://%[(.-)%]') or string.match(origin, '^%a+://([^:]+)')
  if passes(host) then
    passed = passed + 1
  else
    local rank, item = -1, false
    while not item and rank < 8 do
      rank = rank + 1
      item = redis.call('LPOP', p .. 'q:' .. origin .. ':' .. rank)
    end
    redis.call('HINCRBY', C, 'waiting', -1)
    if redis.call('HINCRBY', p .. 'w', origin, -1) == 0 then
      redis.call('HDEL', p .. 'w', origin)
      redis.call('RPOP', p .. 'turns')
      n = n - 1
    end
    passed = 0
    local path = string.match(item, '^%d+ %d+ (.*)$')
    redis.call('HSET', p .. 'held:' .. owner, origin .. path, origin .. ' ' .. rank .. ' ' .. item)
    out[#out + 1] = origin
    out[#out + 1] = item
  end
end
if #out > 0 then
  redis.call('HINCRBY', C, 'held', #out / 2)
  redis.call('SADD', p .. 'holders', owner)
end
room = room - #out / 2
local unfinished = count('held')
if room > 0 then unfinished = unfinished + count('waiting') end
return {unfinished, out}
"""
)

FINISH = (
    COMMON
    + """
local owner, files, kept = ARGV[1], KEYS[2], {}
for i = 2, #ARGV do
  local page = cjson.decode(ARGV[i])
  kept[i - 1] = redis.call('HDEL', p .. 'held:' .. owner, page.url)
  if kept[i - 1] == 1 then
    redis.call('HINCRBY', C, 'held', -1)
    redis.call('HINCRBY', C, 'done', 1)
    redis.call('HINCRBY', C, page.outcome, 1)
    redis.call('RPUSH', p .. 'pages', page.page)
    for _, file in ipairs(page.files) do redis.call('RPUSH', files, file) end
    if count('closed') == 0 then add(page.links) end
  end
end
return kept
"""
)

GIVE_BACK = (
    COMMON
    + """
for i = 2, #ARGV do
  local item = redis.call('HGET', p .. 'held:' .. ARGV[1], ARGV[i])
  if item then back(ARGV[1], ARGV[i], item) end
end
return 1
"""
)

REAP = (
    COMMON
    + """
for _, owner in ipairs(redis.call('SMEMBERS', p .. 'holders')) do
  if redis.call('EXISTS', KEYS[2] .. owner) == 0 then
    all_back(owner)
    redis.call('SREM', p .. 'holders', owner)
  end
end
return 1
"""
)

EMPTY = """
for _, origin in ipairs(redis.call('LRANGE', p .. 'turns', 0, -1)) do
  for rank = 0, 8 do redis.call('UNLINK', p .. 'q:' .. origin .. ':' .. rank) end
end
redis.call('UNLINK', p .. 'turns', p .. 'w', p .. 'accepted')
for first = 0, 4095, 1024 do
  local keys = {}
  for n = first, first + 1023 do keys[#keys + 1] = p .. 'seen:' .. n end
  redis.call('UNLINK', unpack(keys))
end
"""

CLOSE = (
    COMMON
    + EMPTY
    + """
if redis.call('EXISTS', C) == 1 then redis.call('HSET', C, 'closed', 1, 'waiting', 0) end
return 1
"""
)

FORGET = (
    COMMON
    + EMPTY
    + """
for _, owner in ipairs(redis.call('SMEMBERS', p .. 'holders')) do redis.call('UNLINK', p .. 'held:' .. owner) end
return redis.call('UNLINK', C, p .. 'pages', p .. 'holders')
"""
)

EXCHANGE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""A field of a hash, if it is still what it was when it was read."""

JOIN = """
redis.call('SET', KEYS[1] .. ARGV[1], 1, 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
for _, one in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if redis.call('EXISTS', KEYS[1] .. one) == 0 then redis.call('SREM', KEYS[2], one) end
end
return redis.call('SMEMBERS', KEYS[2])
"""
"""A replica lives for so many milliseconds more; who else does."""

CLAIM = """
local owner, held, fresh = ARGV[1], {}, {}
for i = 2, #ARGV do
  local shard = ARGV[i]
  local holder = redis.call('HGET', KEYS[2], shard)
  if holder ~= owner and (not holder or redis.call('EXISTS', KEYS[1] .. holder) == 0) then
    if not holder then fresh[#fresh + 1] = shard end
    redis.call('HSET', KEYS[2], shard, owner)
    holder = owner
  end
  if holder == owner then held[#held + 1] = shard end
end
return {held, fresh}
"""
"""Shards that are nobody's, or a dead one's, are the owner's now; which it has, and which nobody ever had."""

RELEASE = """
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] then redis.call('HSET', KEYS[1], ARGV[i], '') end
end
return 1
"""

LEAVE = """
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1] .. ARGV[1])
"""
