-- close_root(run): ends a run in which nothing is left that could move by itself, and lets a completed one go.
-- @include env
-- @include end_run
-- @include let_go
local function close_root(run)
  if run.state == 'open' and run.n <= run.w then
    if run.w > 0 then end_run(run, 'failed', env.starved) else end_run(run, 'completed', '') end
  end
  if run.state == 'completed' and run.n <= run.w + run.p then let_go(run) end
end
