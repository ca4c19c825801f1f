# SPDX-License-Identifier: Apache-2.0
# Where everything but the programs is installed.
set(ANYVIP_UNIT_DIR lib/systemd/system CACHE STRING "Directory of the systemd unit")
install(FILES etc/anyvip.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/anyvip)
install(FILES etc/man/anyvip.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES etc/man/anyvip.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES etc/man/anyvipd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES etc/systemd/anyvip.service DESTINATION ${ANYVIP_UNIT_DIR})
install(FILES etc/completion/anyvip.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME anyvip)
install(FILES etc/completion/_anyvip DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
