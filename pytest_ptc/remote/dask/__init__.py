"""The engine that is a Dask cluster; nothing else of the package touches Dask."""
