# The program is killed and stopped at random moments; see kill_loop.py and pause_loop.py. The label crash_slow keeps the
# long campaigns out of test-quick. Their own limits are --seconds-max; the one here only ends a campaign that hangs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(write_aside_add_campaign name label script)
  add_test(NAME crash/${name} COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/crash/${script}" ${ARGN})
  set_tests_properties(crash/${name} PROPERTIES LABELS ${label} TIMEOUT 36000 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endfunction()

write_aside_add_campaign(Oracle crash oracle_test.py)
write_aside_add_campaign(OracleOnServers crash_slow server_view_test.py)
write_aside_add_campaign(Proxy crash ../servers/proxy_test.py)
write_aside_add_campaign(BrokerFiles crash ../servers/kafka_log_test.py)
write_aside_add_campaign(ServerProcesses crash ../servers/process_test.py)

if(TARGET write-aside)
  set(program --program $<TARGET_FILE:write-aside>)
  write_aside_add_campaign(FewKills crash kill_loop.py ${program} --units 1000 --kills 20)
  # The lower levels lose and repeat events in a crash. A campaign that does not find it there shows nothing elsewhere.
  write_aside_add_campaign(FindsLostEvents crash_slow kill_loop.py ${program} --units 500 --kills 10 --batch 1
                           --guarantee transactional --expect lost)
  write_aside_add_campaign(FindsRepeatedEvents crash_slow kill_loop.py ${program} --units 4000 --kills 60 --batch 1
                           --guarantee at_least_once --expect duplicate)
  write_aside_add_campaign(KillsUnitByUnit crash_slow kill_loop.py ${program} --units 20000 --kills 300 --batch 1)
  write_aside_add_campaign(KillsInBatches crash_slow kill_loop.py ${program} --units 20000 --kills 100 --batch 1,100)
  write_aside_add_campaign(KillsOfTwoProcesses crash_slow kill_loop.py ${program} --units 6000 --kills 100
                           --processes 2)
  write_aside_add_campaign(KillsOfFourProcesses crash_slow kill_loop.py ${program} --units 6000 --kills 100
                           --processes 4)
  # Whatever a life asks for, an interrupted input goes on with the workers that it began with.
  write_aside_add_campaign(KillsWithWorkers crash_slow kill_loop.py ${program} --units 6000 --kills 80
                           --workers 4,4,4,2,1 --batch 1,20)
  # A lease that is over by one clock is not by another one, and a file's transactions grow old at once.
  write_aside_add_campaign(KillsWithWrongClocks crash_slow kill_loop.py ${program} --units 3000 --kills 60 --processes 2
                           --clocks-differ 3600)
  write_aside_add_campaign(PausedOwners crash_slow pause_loop.py ${program})
endif()

# A pipeline of services; see pipeline_loop.py. It needs clients of the servers, also where it does not use them.
if(TARGET write-aside AND TARGET transform)
  set(pipeline pipeline_loop.py ${program} --transform $<TARGET_FILE:transform> --pair)
  write_aside_add_campaign(FewPipelineKills crash ${pipeline} embedded --faults 20)
  write_aside_add_campaign(PipelineKills crash_slow ${pipeline} embedded --faults 260)
  write_aside_add_campaign(PipelineKillsOnServers crash_slow ${pipeline} servers --faults 150
                           --groups 2)
  # A server that is killed meets shops as well (server_loop.py): one start-up serves both.
  write_aside_add_campaign(BrokerCrashes crash_slow ${pipeline} servers --fault broker --faults 100 --groups 3
                           --shops 1)
  write_aside_add_campaign(DatabaseCrashes crash_slow ${pipeline} servers --fault database --faults 100 --groups 3
                           --shops 1)
endif()

# On PostgreSQL and Kafka; see server_loop.py. The servers come from tools/servers; without them a campaign fails.
if(TARGET write-aside AND TARGET report_outcomes)
  set(apply server_loop.py ${program} --fault)
  set(report server_loop.py ${program} --reporter $<TARGET_FILE:report_outcomes> --fault)
  write_aside_add_campaign(FewKillsOnServers crash ${apply} kill --faults 4)
  write_aside_add_campaign(FindsLostEventsOnServers crash_slow ${apply} kill --faults 20 --groups 2
                           --guarantee transactional --expect lost)
  write_aside_add_campaign(KillsOnServers crash_slow ${apply} kill --faults 200 --groups 5)
  write_aside_add_campaign(BackendsTerminated crash_slow ${apply} backend --faults 60 --groups 3)
  write_aside_add_campaign(PausedPrograms crash_slow server_pause_loop.py ${program})
  write_aside_add_campaign(CutBeforeCommit crash_slow ${apply} before_commit --faults 50 --groups 2)
  write_aside_add_campaign(CutAfterCommit crash_slow ${apply} after_commit --faults 50 --groups 2)
  write_aside_add_campaign(CutOffFromDatabase crash_slow ${apply} database_cut_off --faults 16 --groups 2)
  write_aside_add_campaign(CutOffFromBroker crash_slow ${apply} broker_cut_off --faults 16 --groups 2)
  write_aside_add_campaign(EndTxnAnswerLost crash_slow ${apply} end_txn_lost --faults 50 --shops 3)
  write_aside_add_campaign(EndTxnAnswerDelayed crash_slow ${apply} end_txn_delayed --faults 50 --shops 3)
  # The same faults, with the outcome of every unit written down.
  write_aside_add_campaign(ReportsOfTheKilledAreTrue crash_slow ${report} kill --faults 30 --groups 3)
  write_aside_add_campaign(ReportsAfterLostCommitsAreTrue crash_slow ${report} lost_commit --faults 50 --groups 2)
  # All faults together, for a moment; `make soak` goes on for as long as one likes.
  write_aside_add_campaign(ShortSoak crash_slow soak.py ${program} --reporter $<TARGET_FILE:report_outcomes> --rounds 1
                           --seconds 6)
  # Other servers, another client.
  write_aside_add_campaign(BrokersOfThreeCrash crash_slow ${apply} three_brokers --faults 6)
  write_aside_add_campaign(KillsOnOldestBroker crash_slow ${apply} oldest_broker --faults 6 --shops 2)
  write_aside_add_campaign(KillsWithNewerClient crash_slow ${apply} kill --faults 20 --groups 2 --preload-newer)
endif()

# Every fault at every call, on the real pairs; see call_loop.py.
if(TARGET write-aside AND TARGET strike_at_call)
  set(calls call_loop.py ${program} --striker $<TARGET_FILE:strike_at_call> --pair)
  write_aside_add_campaign(EveryCall crash_slow ${calls} embedded)
  write_aside_add_campaign(KillsAtEveryCallOnServers crash_slow ${calls} servers --levels exactly_once
                           --kinds crash_before,crash_after)
  write_aside_add_campaign(ErrorsAtEveryCallOnServers crash_slow ${calls} servers --levels exactly_once
                           --kinds fail,lose_reply,delay,late_reply)
  write_aside_add_campaign(LowerLevelsAtCallsOnServers crash_slow ${calls} servers
                           --levels transactional,at_least_once)
endif()

# Brokers that start again and again make start-ups slow for each other: side by side, two such campaigns take twice as
# long. Nothing takes longer than all of them, so they begin first.
foreach(name IN ITEMS BrokerCrashes BrokersOfThreeCrash ShortSoak)
  if(TEST crash/${name})
    set_tests_properties(crash/${name} PROPERTIES RESOURCE_LOCK brokers COST 1000)
  endif()
endforeach()
