# the test writes source here that is not Python: kept out of the repository, where tools read every .py file
