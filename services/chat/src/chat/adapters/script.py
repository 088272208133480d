"""What Redis does at once to give events their place in a room's order."""

__all__ = ["APPEND"]

# KEYS[4] has the ids of the edits, with what they edit as their score: of messages that the log still has.
# KEYS[5] and a name: there for an hour, the longest that slow mode may ask for, after that user spoke in it.
# An event is four arguments: user, nonce, text, and the id that it edits or deletes; a negative one is no id, but
# the milliseconds for which the same user may not have spoken. The answer to each is its id, negative if it had
# one; 0 if what it edits is not there; or, in a list, for how many milliseconds it is too early.
APPEND = """
local HOUR = 3600000
local function erase(target)
  for _, edit in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], target, target)) do
    redis.call('XDEL', KEYS[2], edit .. '-0')
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[4], target, target)
  redis.call('XDEL', KEYS[2], target .. '-0')
end
local function note(target, edit)
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1][1]
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. string.match(first, '%d+'))
  redis.call('ZADD', KEYS[4], target, edit)
end
local function early(user, pause)
  local left = pause - (HOUR - redis.call('PTTL', KEYS[5] .. user))
  if left <= 0 then redis.call('SET', KEYS[5] .. user, '', 'PX', HOUR) end
  return left
end
local fresh, result = {}, {}
for at = 6, #ARGV, 4 do
  local nonce, target, left = KEYS[3] .. ARGV[at] .. ':' .. ARGV[at + 1], ARGV[at + 3], 0
  local known = redis.call('GET', nonce)
  if not known and string.byte(target) == 45 then
    left, target = early(ARGV[at], -tonumber(target)), '0'
  end
  if known then
    result[#result + 1] = -tonumber(known)
  elseif left > 0 then
    result[#result + 1] = {left}
  elseif target ~= '0' and #redis.call('XRANGE', KEYS[2], target .. '-0', target .. '-0') == 0 then
    result[#result + 1] = 0
  else
    local id = redis.call('INCR', KEYS[1])
    local text = '{"id":' .. id .. ',' .. ARGV[at + 2]
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], id .. '-0', 'e', text)
    if target ~= '0' then
      if string.find(ARGV[at + 2], '"type":"deleted"', 1, true) == 1 then erase(target) else note(target, id) end
    end
    redis.call('SET', nonce, id, 'EX', ARGV[2])
    fresh[#fresh + 1] = text
    result[#result + 1] = id
  end
end
if #fresh > 0 then
  local ears = redis.call('PUBSUB', 'NUMSUB', ARGV[3], ARGV[5])
  if ears[2] > ears[4] then redis.call('PUBLISH', ARGV[3], ARGV[4] .. table.concat(fresh, '\\n')) end
end
return result
"""
