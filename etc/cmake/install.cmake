# SPDX-License-Identifier: Apache-2.0
# Where everything but the programs is installed.
install(FILES etc/anyvip.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/anyvip OPTIONAL)
install(FILES etc/man/anyvip.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 OPTIONAL)
install(FILES etc/man/anyvip.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 OPTIONAL)
install(FILES etc/man/anyvipd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 OPTIONAL)
install(FILES etc/systemd/anyvip.service DESTINATION lib/systemd/system)
