# The program is killed and stopped at random moments; see kill_loop.py and pause_loop.py. The label crash_slow keeps the
# long campaigns out of test-quick. Their own limits are --seconds-max; the one here only ends a campaign that hangs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(write_aside_add_campaign name label script)
  add_test(NAME crash/${name} COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/crash/${script}" ${ARGN})
  set_tests_properties(crash/${name} PROPERTIES LABELS ${label} TIMEOUT 36000 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endfunction()

write_aside_add_campaign(Oracle crash oracle_test.py)

if(TARGET write-aside)
  set(program --program $<TARGET_FILE:write-aside>)
  write_aside_add_campaign(FewKills crash kill_loop.py ${program} --units 1000 --kills 20)
  # The lower levels lose and repeat events in a crash. A campaign that does not find it there shows nothing elsewhere.
  write_aside_add_campaign(FindsLostEvents crash kill_loop.py ${program} --units 500 --kills 10 --batch 1
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
  write_aside_add_campaign(PausedOwners crash_slow pause_loop.py ${program})
endif()
