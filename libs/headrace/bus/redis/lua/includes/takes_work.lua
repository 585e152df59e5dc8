-- takes_work(run): whether a run has work, and takes what comes of it; an entry of one that has none has been put in by somebody.
local function takes_work(run)
  return run and (run.state == 'open' or run.state == 'completed') and run.n > 0
end
